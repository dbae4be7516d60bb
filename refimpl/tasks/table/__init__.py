"""A teacher's table, from the file to shares of items' maxima.

``files`` opens it (``text``, ``sheets``), ``columns`` and ``rows`` say what is what
(``words``), ``cells`` reads scores, ``answers`` makes shares. No message shows a cell.
"""
