"""Free TCP ports on loopback."""

import socket


def free_port() -> int:
    """A port that nobody listens on now. Another process may take it before its user does: be ready to try again."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
