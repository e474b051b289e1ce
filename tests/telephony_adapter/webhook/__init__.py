"""The generic signed webhook adapter: wire, signatures, routes, answers, and the contract over real HTTP."""
