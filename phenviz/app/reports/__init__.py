"""Reports: what a page shows of one question, as one file to send, print and keep."""
