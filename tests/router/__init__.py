"""The modules that stand beside `app`: switch, reconcile, config, logs."""
