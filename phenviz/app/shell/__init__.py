"""What every page stands in: server, session, state of a tab, frame, address, uploads."""
