"""The chain view: queue lengths only, as a uniformised Markov chain; `walk` to be read, `lockstep` and `jump` to be fast."""
