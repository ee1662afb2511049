"""
`secretmem prove`: attacks on real processes, and what each of them gets.

Start reading at `attack` (what an attack is and how a row is judged), then
`attacks` (one file each), `kinds` and `victim` (what is attacked), `stage`
(how an attacker handles its victims) and `runner`.
"""
