"""Working days in seconds on the real engine, judged by people who see only the journal and the PBX's own record."""
