"""
The command ``secretmem``.

``main`` is the table of commands, ``voice`` the rules of what they print,
and each command is a module of its own.  Needs the extra ``[cli]`` (click and
rich); `main` says so when they are missing.
"""
