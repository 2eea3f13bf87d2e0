"""Stand-alone programs: processes of their own, which import nothing but each other."""
