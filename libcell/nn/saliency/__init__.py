"""Where a network's answer comes from: maps over its input, from gradients, masks and attention.

Tensors in, tensors out. `layers` finds whose maps to take, `gradients` records them and how a score
changes with them, `weighting` makes one map of many, `masking` and `rollout` ask without gradients,
`absent` says what a pixel is replaced by, `framing` brings maps back onto the crop, `neurons` looks
into a connectome, `randomise` forgets what a network learnt.
"""
