"""Small worlds with known contents, one a stage of the data flow; each test takes the smallest that will do.

- `tables`: raw tables as a source has them, and the configuration that reads them.
- `raw_run`: what `m2trec data` leaves behind; NVTabular takes it from there.
- `encoded`: a catalogue of every layout, sessions, and a configuration, without NVTabular.
- `checkerboard`: a catalogue and sessions in which the right answers are known, and scorers that give them.
- `shop`: a whole run up to the Triton repository, and the same answers computed by the model itself.
"""
