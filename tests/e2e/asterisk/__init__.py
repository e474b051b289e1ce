"""Against a real Asterisk, with SIPp in the parts of callers and heads and a capture as the judge."""
