"""From parity.json to what people and machines read: page, table, JUnit, terminal, Markdown. Knows
only the JSON.
"""
