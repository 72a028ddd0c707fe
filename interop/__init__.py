"""Real peers against pysctpstack: usrsctp, the Linux kernel (in User-Mode Linux), C programs; tshark judges.

Run it with `python -m interop` from the root of the repository; `interop/README.md` says what it needs and
does. Nothing here is part of the installed package.
"""
