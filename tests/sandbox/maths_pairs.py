"""Pairs of answers, equal and unequal: `gold | answer`, one a line. A `|` inside of an answer is written `\\vert`."""

EQUAL = r"""
3/8|0.375
2\frac34|\frac{11}4
1,234,567|1234567
0.1\overline6|1/6
1.5\times10^5|150000
35\%|0.35
200\text{ cm}|2\text{ m}
60^\circ|60
3:4|6:8
\{1,2\}|\{2,1\}
1,2|2,1
(-∞,2)∪(2,∞)|x≠2
x>3|3<x
\pm3|\{-3,3\}
y=2x+1|2x-y+1=0
x=2,y=3|y=3,x=2
√2+√3|√(5+2√6)
e^{iπ}|-1
\text{(B)}|B
x^3/3+C|x^3/3+K
\emptyset|\{\}
f(x)=x+1|x+1
a_n=2^n|2^n
\left\{x \mid -1 < x < 2\right\}|(-1,2)
x\in\{1,2\}|\{2,1\}
1 \leqslant m \leqslant 3|[1,3]
m>\frac{4}{3}|(\frac43,\infty)
a=0 or a=1|0,1
10!|3628800
5.\overline{3}|16/3
\sin^2 x + \cos^2 x|1
\frac{1}{\sqrt{2}}|\frac{\sqrt{2}}{2}
\log_2 8|3
(x+1)^2|x^2+2x+1
1 1/2|3/2
\$5.00|5
5 dollars|\$5
3 \text{ hours}|180 \text{ minutes}
90\text{ km/h}|25\text{ m/s}
1 \text{ m}^2|10000\text{ cm}^2
12\%|12
(2, 3)|x=2,y=3
\mathrm{A}|(A)
C|C) 12
\binom{5}{2}|10
\vert -3 \vert|3
\lfloor 2.7 \rfloor|2
\sqrt[3]{27}|3
\frac{2\pi}{3}|120^\circ
3+4i|4i+3
(-\infty, 3]|x \le 3
\mathbb{R}|(-\infty,\infty)
\mathbb{R}\setminus\{2\}|x\ne 2
x<-1 \text{ or } x>3|(-\infty,-1)\cup(3,\infty)
-1<x<3|x>-1 \text{ and } x<3
\vert x \vert<3|-3<x<3
x = \pm 2|x=2, x=-2
2 \pm \sqrt{3}|2+\sqrt3, 2-\sqrt3
1{,}000|1000
12,\!345|12345
3\times 10^8|3e8
42|So we get $40+2 = 42$.
42|**Answer:** 42
42|The final answer is \(\boxed{42}\).
72|#### 72
1/3|0.333333333333333
\cos 60^\circ|1/2
0.\overline{142857}|1/7
5 km|5000 m
\angle ABC = 60^\circ|60^\circ
１２|12
−5|-5
"""

DIFFERENT = r"""
1/7^{40}|1/7^{41}
3·10^{-20}|5·10^{-20}
1/30!|1/31!
(2^{300}+1)/2^{300}|1
π/4|0.785398
1-1/e²|1+1/e²
(1,234)|1234
0.35|35
5 cm|5 m
(1,2)|\{1,2\}
(1,2)|(2,1)
[0,1)|[0,1]
x=2,y=3|x=3,y=2
√(x²)|x
\begin{pmatrix}1&2\\3&4\end{pmatrix}|\begin{pmatrix}1&3\\2&4\end{pmatrix}
1011_2|1011_3
5|4=5
7|1,2,…,9
5|5 or 6
1|9^{9^{9^9}}
1|(10^9)!
3|__import__("os").system("touch /tmp/executed-by-the-checker")
1/3|0.333
2/3|0.6667
\pi|22/7
\sqrt2|1.414
10|100
5 m|5 s
\$5|€5
5\%|5\text{ cm}
x=5|y=5
(1,2)|[1,2]
(1,2,3)|(1,2)
\{1,2\}|\{1,2,3\}
x>3|x\ge 3
x>3|x<3
\pm 3|3
\log_2 8|\log_3 8
A|B
\text{odd}|\text{even}
i|-i
f(x)|f(y)
x^2+C|x^2
10^{50}|10^{50}+1
\frac{1}{10^{30}}|0
0|10^{-40}
e^{-100}|0
\sqrt{2}|\sqrt{2+10^{-30}}
\begin{pmatrix}1&2\end{pmatrix}|\begin{pmatrix}1\\2\end{pmatrix}
5|between 4 and 6
3:4|4:3
y=2x+1|y=2x-1
1<x<3|1\le x<3
x=1 or x=2|x=1
(0,9)|[0,9)
1011_2|1011
60^\circ|61
1/2 \text{ cm}|1/2 \text{ m}
12345678901234567890|12345678901234567891
x^2=4|x=2
\infty|10^{100}
[0,1]|\{0,1\}
2|\text{two}
1.5|1,500
"""


def pairs(block: str) -> list[tuple[str, str]]:
    """Gold answer and answer of each line."""
    return [(gold, answer) for gold, _, answer in (line.partition("|") for line in block.strip().split("\n"))]
