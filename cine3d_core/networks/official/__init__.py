"""The official networks, layer by layer, under the tensor names of their checkpoints.

Every module offers `build(**architecture)`; its `state_dict()` has exactly the published names.
"""
