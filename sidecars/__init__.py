"""What is computed from the facts that the router published: ratings, prices, reports.

A sidecar reads published events and state (people, clients, absences) into a copy of its own and never looks into the
server's memory. It uses the server's `basis` and `engine` and invents no second person, client, timer or outbox.
Sidecars are strangers to one another: what one produces is an event, and an event is what the next one consumes. Each
is built alike: pure formulas, store, service, routes, pages. By default they run in the server's process; each can run
in its own. The server finds them by entry points and works without any of them.
"""
