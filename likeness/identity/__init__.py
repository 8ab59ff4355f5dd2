"""What can be said with identities of any encoder: fused, mixed, ranked, searched, grouped, judged, kept in files.

Operations, no systems. Each takes vectors of one space and refuses two; none makes a vector of length 1 in silence.
"""
