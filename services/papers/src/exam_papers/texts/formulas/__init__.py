"""Formulas: TeX and imported MathML, made into the MathML that browsers implement (MathML Core)."""
