"""The operators' console.

`reading` reads the fleet from AWS, and `operations` changes it. What was read becomes JSON for the
`api` in `serialise`, and words for the `pages` in `views`. Imports point down only: see
tests/unit/functions/console/test_layers.py.
"""
