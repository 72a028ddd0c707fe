"""How fast this stack is, beside usrsctp, aiortc and bare UDP: ``python -m tools.bench``."""
