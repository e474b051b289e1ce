"""Chats: where people see cards and press their buttons.

`port` says what is asked of any chat, `cards` puts words to a face, `buttons` turns a press into a fact and signs the
personal links. `inbox` is the built-in chat: a table of cards that the pages of `router.web` show.
"""
