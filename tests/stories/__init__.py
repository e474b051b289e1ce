"""Stories of calls, told like plays. `stage` is the theatre, `play` the language, `test_*` the repertoire."""
