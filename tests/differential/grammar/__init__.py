"""Commands that hypothesis can make up: for each a strategy of its arguments, right ones and wrong ones.

vocabulary   keys, values, numbers, options: few keys, so that commands meet on them; the edges of every range
strings, bitmaps, blocking, hashes, lists, sets, sort, sorted_sets, geo, streams, hyperloglogs, generic, connection, server,
transactions   a dictionary of strategies each, by command
sequences    whole conversations: which connection says what, in one piece or command by command
"""
