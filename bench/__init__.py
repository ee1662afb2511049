"""
What secret memory costs, beside other ways of keeping 32 bytes.

``python -m bench`` prints one table; ``make bench`` builds and runs it.

- ``peers.c`` does in C what libsodium and OpenSSL's secure heap offer;
  ``operations`` does the same in Python, with bytearray and with secretmem.
- ``child`` is a process that does these on request: one per configuration,
  since a process chooses its gate once.  ``workers`` starts and asks them.
- ``timing`` asks all of them in turn, again and again, so that a busy moment
  of the machine meets all alike.  ``footprint``, ``calls`` and ``imports``
  count bytes, secrets under a limit, system calls and import time.
- ``targets`` is what secretmem has to reach; ``machine`` says where it was
  measured; ``table`` prints it.
"""
