"""The l1 norm of the normals."""
