"""Prints the code points that the Chinese font keeps: GB 2312, and characters of personal names beyond it."""

GB_2312_ROWS = range(0xA1, 0xF8)
GB_2312_CELLS = range(0xA1, 0xFF)

NAMES = """
仺佺俶偲傃冏劼勍卨厷喆垚堃堉奡奭婠婳媃嫄嫚寔寯峂崶巘廼弢彣彧惇慜扆旸旻昇昉昺晙晞
晢晧暅暎暐暠暲曈曌杍柷栐梽棽楒橦沄沚泂洺浛浥涢淏淯湉湜湦湲溍滎滪澔濛炘烜焜煐燊爔
犇玒玘玙玚玠玥玦玹珅珮珺琀琇琎琤琭琯琲瑀瑄瑅瑆瑢瑨瑱璘璟璠璥璪瓅甦皕碁祎祐禔禛禤
竑筼簃絜缊翀翃翙翚翛翯莀虓衎袆褀訚詝谞贇赟趯鈜鋆鋐锜锳镕镠雱霂韡頔頫顗颋飏骉骎髙
鹍龑龢
"""

SIGNS = "¥￥€，。：；！？（）、《》〈〉「」—…·"


def gb_2312():
    for row in GB_2312_ROWS:
        for cell in GB_2312_CELLS:
            yield bytes([row, cell]).decode("gb2312", errors="ignore")


def main():
    ascii_letters = (chr(code) for code in range(0x20, 0x7F))
    characters = set("".join(gb_2312())) | set(ascii_letters) | set(NAMES) | set(SIGNS)
    print(",".join(f"U+{ord(character):04X}" for character in sorted(characters - {"\n"})))


if __name__ == "__main__":
    main()
