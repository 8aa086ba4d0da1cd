r"""Pairs of answers in everyday notations: `gold | answer`, one a line; `\vert` stands for a bar inside of one.

EQUAL has one verdict. NOT_EQUAL holds pairs that may be `different` or `unknown`, and NOT_DIFFERENT pairs that may be
`equal` or `unknown`: where nothing can be shown, nothing may be said.
"""

EQUAL = r"""
7:00\text{ a.m.}|7 am
3:30 PM|15:30
15:30|3:30 p.m.
12:00 AM|0:00
noon|12:00 PM
2:10|2:10
7:05|07:05
3:4|6:8
3:4|\frac{3}{4}
\frac34|3:4
1:2:3|2:4:6
0:1:2|0:2:4
2:3|10:15
1500000|1.5 million
1.5 \text{ million}|1500000
24|2 dozen
2\text{ dozen}|24
3000|3 thousand
5 million dollars|\$5,000,000
2 billion|2000000000
18|18 dollars per day
\$1.5 million|1500000
0.018|18 thousandths
\frac{3}{4}|three quarters
324|18 squared
120|5 factorial
12|twelve
12|\text{twelve}
2|\text{two}
105|one hundred and five
21|twenty-one
-5|minus five
5 \text{ mg}|0.005 \text{ g}
5 \text{ Mg}|5000 \text{ kg}
5 kg|5000 g
5 KM|5 km
1 kW|1000 W
2 MHz|2000 kHz
1 \text{ mL}|0.001 \text{ L}
5 Km|5000 m
18|18 apples
18|18 students
18|18 red apples
18|18 people
18|18\text{ units}
18|18 square units
18|18 cubic meters
18|18 dollars per day
\sqrt{2}|sqrt(2)
\frac{\sqrt3}{3}|sqrt(3)/3
2\pi|2*pi
\frac{\pi}{2}|pi/2
e^2|exp(2)
e^{16}|exp(16)
\sin x|sin x
\sin x|sin(x)
\vert x-1 \vert|abs(x-1)
(-\infty,2)|(-inf, 2)
\infty|inf
-\infty|-infinity
3\times 10^5|3x10^5
3\times 10^5|3 x 10^5
3\times10^{-5}|3x10^-5
14 - i|14.0 + -1.0i
\lfloor x \rfloor|floor(x)
\sqrt[3]{2}|cbrt(2)
\theta|theta
2\theta|2*theta
\arctan x|arctan(x)
\arctan x|atan(x)
\ln 2|ln(2)
\ln 2|log(2)
xy|x*y
2xy|2*x*y
abc|a*b*c
18|The answer is 18 since 9 * 2 = 18.
18|Total: 18
18|Ans: 18
18|**Answer: \$18 per day.**
18|So the answer is 18, not 17.
18|The answer is 18!
120|5!
120|The answer is 5!
B|Option B
B|option (B)
B|The correct answer is B.
B|(B) 17
B|B. 17
\mathbb{R}|all real numbers
\mathbb{R}|all reals
\frac{1\pm\sqrt5}{2}|\frac{1\pm\sqrt5}{2}
\frac{1\pm\sqrt5}{2}|\frac{1+\sqrt5}{2}, \frac{1-\sqrt5}{2}
\frac{1+\sqrt5}{2}, \frac{1-\sqrt5}{2}|\frac{1\pm\sqrt5}{2}
\frac{1\mp\sqrt5}{2}|\frac{1\pm\sqrt5}{2}
3+4i|3+4\mathrm{i}
e^{i\pi}|\mathrm{e}^{\mathrm{i}\pi}
\frac{4}{33}|0.\dot{1}\dot{2}
\frac{41}{333}|0.\dot{1}2\dot{3}
\frac16|0.1\dot{6}
210 \text{ min}|3 hours and 30 minutes
210 \text{ min}|3\text{ hours }30\text{ minutes}
3 hours and 30 minutes|3.5 hours
66 inches|5 feet 6 inches
5 feet 6 inches|66 inches
5 feet 6 inches|5\text{ feet }6\text{ inches}
\$3.50|3 dollars and 50 cents
no solution|There are no solutions
\text{No solution}|There is no solution.
No solutions|no solution
30|\angle ABC = 30^\circ
\angle ABC = 30^\circ|30
FF_{16}|ff_{16}
255|ff_{16}
18|18\,
18|18\;
18|\,18
18|18~
1/3|0.333...
\frac13|0.333\ldots
2/3|0.666…
18|\textcolor{red}{18}
18|\color{red}{18}
18|\underline{18}
18|\mathbf{18}
18|\boldsymbol{18}
18|\underline{\textbf{18}}
5|\{5\}
1,1,2|1,2,1
\{1,2\}|1,2,2
x^3/3+C|x^3/3+K
x^2+C|x^2+c
1234.56|1.234,56
1234567|1.234.567
1234567|1'234'567
1234567|12,34,567
18|\boxed{18}\text{ dollars}
18|$x = \boxed{18}$
-18|\boxed{-18}
18\%|\boxed{18}\%
60^\circ|\boxed{60}^\circ
18|The answer is 18 dollars.\nANSWER: 18
18|\textbf{Answer:} 18
18|**Final Answer:** $18$.
18|Answer: **18**
1/3|x=1/3\approx0.33
\frac{\sqrt{3}}{3}|\frac{\sqrt{3}}{3} \approx 0.577
x=11|x=5+6=11
10 \text{ m/s}|36 km per hour
18|about 18
\$18|18 USD
18\text{ euros}|€18
¥500|500 yen
50 cents|\$0.50
x^2|x²
½|0.5
12|１２
"""

NOT_EQUAL = r"""
2:10|1:05
7:00|9:00
0:30|0:45
1:30|2:60
7:00\text{ a.m.}|9:00\text{ a.m.}
7:00\text{ a.m.}|7:00\text{ p.m.}
3:30|15:30
12:00 AM|12:00 PM
7:00|14:00
10:15|20:30
42|0:0
\frac{3}{7}|0:0
x/y|0:0
18\%|0:0
0:0|1:2
1:2|\infty:\infty
1:2|0:0
\frac{3}{7}|\frac{0}{0}:\frac{0}{0}
0:3:5|0:1:2
1:2:3|0:0:0
2|2:1
0.75|3:4
1:2:3|1:2
5|5 million
5|5 thousand
5 \text{ dozen}|5
5|5 factorial
5|5 below zero
5|5 hundred
5|5 score
5|5 lakh
5|5 gross
5|5 trillion
5|5\text{ million}
5 \text{ mg}|5 \text{ Mg}
5 \text{ m}|5 \text{ M}
5 \text{ g}|5 \text{ G}
5 \text{ s}|5 \text{ S}
5 \text{ mW}|5 \text{ MW}
5 \text{ mHz}|5 \text{ MHz}
5 \text{ mm}|5 \text{ Mm}
5 \text{ ms}|5 \text{ Ms}
5 \text{ ml}|5 \text{ ML}
5 \text{ pm}|5 \text{ Pm}
18|18 squared
18|18 plus five
18|18\text{e5}
18|18 thousandths
18|18\text{, no, 17}
18|18 or so maybe seventeen
18|18 and a half
18|18 halves
18|18 cubed
18|18 minus one
18|18 times two
18|18 percent of a third
18|18 less than x
18|18 times as many apples
18|18 to the power of two
18|18 tenths
18|18 modulo five
18|18 dozens
18|not 18
2|x=1=2
2|1=2
17|18 \approx 17
18|18 \approx 17
18|18=17
12|1\quad 2
12|1\ 2
12|1\,2
12|1~2
12|1\;2
12|1{}2
12|1\hspace{1em}2
18|2\cdot\boxed{18}
18|\frac{\boxed{18}}{2}
18|\frac{2}{\boxed{18}}
18|\boxed{18}+1
18|-\boxed{18}
18|2\boxed{18}
18|\boxed{18}^2
18|\boxed{18}5
18|\sqrt{\boxed{18}}
18|\vert\boxed{18}\vert+1
18|$\boxed{18}!$
18|ANSWER: 17\nANSWER: 18
17|ANSWER: 17\nANSWER: 18
18|\boxed{17}\nANSWER: 18
18|The answer is 17.\nThe answer is 18.
A|(A) is wrong, (B)
A|(A) is not right
A|A or B
A|A, no, B
18|18+\sin(\pi\cdot 10^{12}x)
x|x+\sin(\pi\cdot 10^{12}x)
0|\sin(\pi\cdot 10^{12}x)
\sin(\pi\cdot 10^{12}x)|0
\lfloor x \rfloor|\lceil x \rceil - 1
x|x+0^{\vert x \vert}
\lfloor x \rfloor + \lfloor -x \rfloor|-1
1,1,2|1,2
1,2|1,1,2
x+k|x+c
x+c|x+k
x+a|x+C
5|nan
5|0/0
5|\infty
5|x/y
18|The answer is 18 since 9 * 2 = 18, no wait, 17.
18|The answer is 18, or maybe 17.
18|between 17 and 19
0.333|0.333...
\frac{1\pm\sqrt5}{2}|\frac{1+\sqrt5}{2}
1234|1.234,56
30|\angle ABC = 31^\circ
210 \text{ min}|3 hours and 31 minutes
66 inches|5 feet 7 inches
12|twenty
5 kg|5 g
"""

NOT_DIFFERENT = r"""
18 \text{ dollars}|\$18 per day
18|approximately 18
18|around 18
18|18 or so
\pi|3.14159...
18|18 zorkmids
3:30 PM|3:30
18|it is equal to eighteen
x=1/3|1/3
18|The value comes to 18
18|18 bananas for the whole class
5 \text{ cm}|5 \text{ units}
"""

DIFFERENT = r"""
7:00|9:00
2:10|1:05
5|5 million
5 \text{ mg}|5 \text{ Mg}
0:3:5|0:1:2
42|\{5\}
1,1,2|1,2
x+k|x+c
5|\infty
18|17
18|The answer is 17, not 18.
18|Total: 17
\sqrt2|sqrt(3)
2\pi|3*pi
12|thirteen
B|Option C
B|(C) 17
\frac{4}{33}|0.\dot{1}\dot{3}
1/3|0.444...
18|\textcolor{red}{17}
210 \text{ min}|3 hours and 31 minutes
3:30 PM|3:30 AM
"""
