"""Profile HMMs: core model, search profile and trace; building, training, searching and aligning.

The letters are the field's: M nodes, L residues of a target, A letters of the alphabet, S sequences.
"""
