"""The commands, one a file; `smash` is all of them together.

No command imports more than it must before it is called, so that --help and wrong flags answer at
once.
"""
