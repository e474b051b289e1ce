"""Adapters to IP-PBXs. `port` says what is asked of any; each vendor's folder has config, wire, client and routes."""
