"""The differential test of the sockets API: the same scenarios on kernel SCTP and on pysctpstack.

`scenarios/` holds them, one module per area; `runner` runs them on one of the two; `linux.json` is what Linux said;
`differences` lists where pysctpstack answers otherwise, with the reasons; `compare` judges.
"""
