"""Pairs of answers, equal and unequal: `gold | answer`, one a line. A `|` inside of an answer is written `\\vert`."""

EQUAL = r"""
3/8|0.375
2|\text{two}
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
\left[\begin{array}{cc}1&2\\3&4\end{array}\right]|\begin{pmatrix}1&2\\3&4\end{pmatrix}
\begin{pmatrix} x \\ y \end{pmatrix} = \begin{pmatrix}1\\2\end{pmatrix}|\begin{pmatrix}1\\2\end{pmatrix}
\begin{cases} x=1 \\ y=2\end{cases}|x=1,y=2
\left\{\begin{aligned} x&=1 \\ y&=2\end{aligned}\right.|x=1,y=2
n=1,2,3|1,2,3
a>1 or a<-1|(-\infty,-1)\cup(1,+\infty)
x \in \{1\} \cup [2,3]|\{1\}\cup[2,3]
\left(-\infty, \frac{1}{2}\right]|x \le 0.5
60^{\circ}|60
\frac{8!}{4!4!}|70
\sqrt{2}:1|2:\sqrt{2}
\tan 45^\circ|1
\log _{2} 8|3
$28\%$|$28$ percent
$28\%$|28%
28|28 percent
$9$|Answer: $9$
1000|1 000.0
1000.99|1000,99
$\frac{1}{3}$|$\frac 13$
$1/3$|$\boxed{\frac{1}{3}} meters$
\frac{\sqrt{3}}{3} \approx 0.577|\frac{1}{\sqrt3}
10 \, \text{km}|10\text{ km}
Even|even
\text{No solution}|no solution
2021^{2022}|2021^{2021} \cdot 2021
\vec{a}+\vec{b}|\vec{b}+\vec{a}
\overline{AB}=5|5
x=\frac{1}{2}, y=3|(0.5, 3)
[1,2) \cup (3,4]|(3,4] \cup [1,2)
\frac{x}{y}|x/y
x^{2} y^{3}|y^3x^2
2\pi r^2+2\pi rh|2\pi r(r+h)
\frac{a+b}{2}|\frac{1}{2}(a+b)
x^2+2xy+y^2|(x+y)^2
\sin(x+y)|\sin x\cos y+\cos x\sin y
\frac{1}{x}+\frac{1}{y}|\frac{x+y}{xy}
e^{x+y}|e^x e^y
\ln(ab)|\ln a+\ln b
(a^2)^3|a^6
4x^2-9|(2x-3)(2x+3)
\$1,234.50|1234.5
3.0\times 10^{-4}|0.0003
5\frac{1}{4}\%|5.25\%
\text{Tuesday}|tuesday
(3, \frac{\pi}{2})|(3,\pi/2)
-3 < x \leq 5|(-3,5]
x=3, x=-3|x=\pm3
7 \text{ and } -7|\pm 7
k=4|4
13 \text{ cm}^2|13
10000|10^4
\frac{-3}{4}|-\frac34
0.75|75\%
8\sqrt{2}\text{ units}|8\sqrt2
y = 3x + 4|3x+4
y=-\frac13x+2|x+3y=6
f^{-1}(x)=2x|2x
6:30|6:30
1.5 hours|90 minutes
2 \sqrt{13}|\sqrt{52}
12, 15|15 and 12
\{(1,2),(3,4)\}|(1,2),(3,4)
4|The answer is 4
4|x = 4
1/2|\frac{1}{2}.
18|She makes $18 every day.
70000|$70,000
5|$\boxed{5}$ apples
1,000|1000
\frac{1}{2}|0.5
0.5|1/2
(1,2)|( 1 , 2 )
x^2-1|(x-1)(x+1)
\sqrt{8}|2\sqrt{2}
\frac{\pi}{2}|90^\circ
1e-3|0.001
50%|0.5
2+3|5
\text{yes}|Yes.
D|\textbf{(D)}
D|\textbf{(D) } 12
D|(D)
10|10.
-\frac{1}{2}|\frac{1}{-2}
3|3.000
1000000|10^6
x+y|y+x
2x+2y|2(x+y)
\{1,2,3\}|\{3,2,1\}
1,2,3|3, 2, 1
[1,2]|1\le x\le 2
\frac{2}{\sqrt{3}}|\frac{2\sqrt3}{3}
0.\overline{9}|1
0.\dot{3}|1/3
i|\sqrt{-1}
e^{2\pi i}|1
\cos(\pi/3)|0.5
\log_{10} 1000|3
\log 100|\log 100
5!|120
{5 \choose 2}|10
x\ge0|x \geq 0
2 \text{ and } 3|2,3
(x,y)=(1,2)|x=1,y=2
10 \text{ m/s}|36 \text{ km/h}
1 \text{ L}|1000 \text{ mL}
1\text{ hour}|3600\text{ s}
100^\circ|100 \text{ degrees}
\$3.50|3.5 dollars
350 \text{ cents}|\$3.50
\frac{1}{2} x|x/2
3^{-2}|1/9
x^{1/2}|\sqrt{x}
\tan x|\frac{\sin x}{\cos x}
2^{3x}|8^x
\ln(x^2)|2\ln x
\infty|+∞
-\infty|−∞
DNE|DNE
\text{undefined}|undefined
0|-0
6|2 \cdot 3
\begin{bmatrix}1\\2\end{bmatrix}|\begin{pmatrix}1\\2\end{pmatrix}
FF_{16}|255
11_8|9
1010_2|10
x=-1 \pm \sqrt{2}|-1+\sqrt2, -1-\sqrt2
3x+2y=7|2y = 7-3x
y-1=2(x-3)|y=2x-5
x^2+y^2-4=0|x^2+y^2=4
\frac{3}{2},-1|-1,1.5
May|may
7:00|7:00
(−3,4)|(-3,4)
1.0e3|1000
2^{-1}|0.5
a^2+2ab+b^2|(a+b)^2
\frac{n!}{(n-2)!}|n(n-1)
\binom{n}{2}|\frac{n(n-1)}{2}
n^2|\text{n}^2
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
1.5|1,500
\begin{pmatrix}1&2\\3&4\end{pmatrix}|\begin{vmatrix}1&2\\3&4\end{vmatrix}
x=1,y=2|x=2,y=1
y=3x+4|f=3x+4
7:30|6:30
1.5 hours|90 seconds
\{(1,2),(3,4)\}|(2,1),(3,4)
[1,2)|(1,2]
(x+y)^2|x^2+y^2
\ln(a+b)|\ln a+\ln b
e^{x+y}|e^x+e^y
28\%|0.028
28|0.28
-1|1
12 \text{ cm}|12 \text{ cm}^2
2^{10}|2^{11}
a_1|a_2
x_1+x_2|x_1-x_2
n!|n
\sin x|\sin(2x)
x>2|x<2
\sqrt[3]{8}|\sqrt{8}
1/2|2
12|1 2
12|21
7.0|70
0.1|.01
\frac{1}{3}|0.3
\sqrt{3}|1.732
10^{20}|10^{20}+1
x^2-1|(x-1)^2
A|B or A
B|A, B
4|4 or 5
4|\{4,5\}
4|(4,4)
\pi|\pi+10^{-60}
yes|no
x \ne 3|x = 3
\text{none}|0
3+4i|3-4i
-2|2
(1,\infty)|[1,\infty)
(0,1)|(0,1]
5|5x
x|2x
6 \text{ days}|6 \text{ hours}
C|c+1
1000 \text{ m}|1000 \text{ km}
\angle A|\angle B
\overline{AB}|\overline{AC}
0.33|1/3
1/3|0.33333
(1,2)|(1,2,3)
[1,2]|1<x<2
1 \text{ kg}|1 \text{ m}
\sqrt{x^2}|-x
\infty|-\infty
2|2i
x^2+y^2=4|x^2-y^2=4
3|3 or 4
3|{3,4}
12|012_3
"""


def pairs(block: str) -> list[tuple[str, str]]:
    """Gold answer and answer of each line."""
    return [(gold, answer) for gold, _, answer in (line.partition("|") for line in block.strip().split("\n"))]
