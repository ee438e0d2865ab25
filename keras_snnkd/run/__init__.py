"""What `train.py` does.

A run goes through these in turn: `recipes` (what is asked for), `plan` (which stages that is), `experiment` (trains them), `watching`
(what it tells meanwhile), `compressing` (what makes a student cheaper) and `finished` (measured, exported, with a card). `comparing` puts
many runs beside each other.
"""
