"""Links from associations that somebody else's network says: frames in, tracks out."""
