"""The engine on its own: it knows no chain, so its second machine (`approval`) lives here and imports none either."""
