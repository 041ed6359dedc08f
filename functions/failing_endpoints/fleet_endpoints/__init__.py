"""Endpoint checks, from what people write to what fails.

`endpoints` is what an entry of the list may say, with the language of its `conditions` (and their
`values` and `patterns`). `probe` looks at one endpoint, by `dns` or by `fleet.probes`, and returns
`facts`; `failures` says what is wrong with them. `checks` does this for a whole list.
"""
