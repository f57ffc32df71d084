"""The command line, `jfsq`: one small module a command.

In    arguments
Out   a table or one JSON document on standard output; notes, progress and errors on standard error
Rule  whatever happens, one line and an exit code, never a traceback (JFSQ_TRACEBACK=1 shows it)
"""
