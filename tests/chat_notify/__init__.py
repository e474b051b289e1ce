"""Chats: cards in words, buttons, the inbox."""
