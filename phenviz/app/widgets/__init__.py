"""What pages share: each widget beside its script."""
