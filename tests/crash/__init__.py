"""The server killed, for real: child processes, a played PBX that outlives them, the journal read afterwards.

`company` is who works there, `plays` what happens on the line, `lives` the processes, `places` where a server dies,
`judge` what must be true in the end. Judged by the PBX's own record and by the journal, by nothing else.
"""
