"""Plain short English words, of which synthetic prompts are made.

All are lower case, without marks, and common enough that nearly every vocabulary has each of them
as one token, with a space before it; how many tokens they really are is measured.
"""

from __future__ import annotations

_TEXT = """
able about above across act add after again age ago air all allow almost alone along already
also always among amount and animal answer any appear apple are area arm army around art ask
away baby back bad bag ball band bank bar base be bear beat because become bed been before began
begin behind being believe below best better between big bird bit black blow blue board boat
body bone book both bottom bow box boy branch bread break bright bring broad brother brown build
burn busy but buy by call came camp can car card care carry case cat catch cause center certain
chair chance change charge chart check chief child choose church circle city claim class clean
clear climb clock close cloth cloud coast coat cold collect color come common complete condition
consider contain continue control cook cool copy corn corner correct cost cotton could count
country course cover create cross crowd cry current cut dance danger dark day deal dear decide
deep degree design did differ dinner direct distance divide do doctor does dog dollar door
double down draw dream dress drink drive drop dry during each ear early earth ease east eat edge
effect egg eight either electric else end energy engine enough enter equal even event ever every
exact example except excite expect experience eye face fact fair fall family famous far farm
fast fat father favor fear feed feel feet fell felt few field figure fill final find fine finger
finish fire first fish fit five flat floor flow flower fly follow food foot for force forest
form forward found four free fresh friend from front fruit full fun game garden gas gather gave
general get girl give glad glass go gold gone good got govern grand grass gray great green grew
ground group grow guess guide had hair half hand happen happy hard has hat have he head hear
heart heat heavy held help her here high hill him his hit hold hole home hope horse hot hour
house how huge human hurry ice idea if in inch industry insect interest iron is island it job
join joy jump just keep kept key kind king knew know lady lake land language large last late
laugh law lay lead learn least leave left leg length less let letter level lie life lift light
like line list listen little live locate long look lost lot loud love low machine made main make
man many map mark market mass master match matter may me mean measure meat meet men metal middle
might mile milk mind mine minute miss mix modern moment money month moon more morning most
mother motion mountain mouth move much music must my name nation nature near neck need never new
next night nine no noise noon nor north nose note nothing notice noun now number object ocean of
off offer office often oil old on once one only open or order other our out over own oxygen page
paint pair paper part party pass past path pattern pay people person phrase pick picture piece
place plain plan plane planet plant play please point poor port position possible post pound
power present press pretty print probable problem process produce product proper property
protect prove provide pull push put question quick quiet quite race radio rain raise ran range
rate reach read ready real reason receive record red region remember repeat reply report
represent require rest result rich ride right ring rise river road rock roll room root rope rose
round row rule run safe said sail salt same sand sat save saw say scale school science score sea
search season seat second section see seed seem select self sell send sense sent sentence
separate serve set settle seven several shall shape share sharp she sheet shell shine ship shoe
shop short should shoulder shout show side sight sign silent silver similar simple since sing
single sister sit six size skill skin sky sleep slip slow small smell smile snow so soft soil
solution solve some son song soon sound south space speak special speech speed spell spend spoke
spot spread spring square stand star start state station stay steam steel step stick still stone
stood stop store story straight strange stream street strong student study subject such sudden
sugar suggest suit summer sun supply support sure surface surprise swim symbol system table tail
take talk tall teach team teeth tell ten term test than thank that the their them then there
these they thick thin thing think third this those though thought thousand three through time
tiny tire to together told tone too took tool top total touch toward town track trade train
travel tree triangle trip trouble truck true try tube turn twenty two type under unit until up
us use usual valley value vary very view village visit voice wait walk wall want warm was wash
watch water wave way we wear weather week weight well went were west what wheel when where which
while white who whole whose why wide wife wild will win wind window wing winter wire wish with
woman women wonder wood word work world would write wrong yard year yellow yes yet you young
your
"""
WORDS = tuple(_TEXT.split())
