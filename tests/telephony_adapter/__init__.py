"""Each adapter against the fake of its PBX; `contract` is what all of them must do."""
