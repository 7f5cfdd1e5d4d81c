"""What rule files say about roles and handoffs, compared with the matrix of triggers.

Promises: pure; nothing raises whatever a text holds; time grows with the length of the text and no
faster. What is found are statements in English, by the rules in ``cues`` and ``kinds``, each with
examples and counter-examples; tables and front matter count in any language. Not promised: that a
statement means what it seems to say; nobody is bound by an audit.

    page -> names -> cues, kinds -> statements -> findings -> rows, ladder
"""
