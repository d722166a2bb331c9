// SPDX-License-Identifier: MIT
/* Escaping. Layer: report. */
#include "report/markup.h"

#include "base/types.h"

/* Bytes of the UTF-8 sequence at @p; 0 if there is none that XML takes. */
static u32 sequence(const u8 *p)
{
	u32 n = *p < 0x80 ? 1 : *p >= 0xC2 && *p < 0xE0 ? 2 : (*p & 0xF0) == 0xE0 ? 3 : 0, c = *p;

	if (*p >= 0xF0 && *p < 0xF5)
		n = 4;
	if (n > 1)
		c &= 0x7Fu >> n;
	for (u32 i = 1; i < n; i++) {
		if ((p[i] & 0xC0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3Fu);
	}
	if ((n == 3 && c < 0x800) || (n == 4 && (c < 0x10000 || c > 0x10FFFF)))
		return 0;
	if ((c < 0x20 && c != '\n' && c != '\t') || (c >= 0x7F && c < 0xA0) ||
	    (c >= 0xD800 && c < 0xE000) || c == 0xFFFE || c == 0xFFFF)
		return 0;
	return n;
}

void markup_escape(FILE *f, const char *text)
{
	for (const u8 *p = (const u8 *)text; *p;) {
		u32 n = sequence(p);

		if (*p == '<')
			fputs("&lt;", f);
		else if (*p == '>')
			fputs("&gt;", f);
		else if (*p == '&')
			fputs("&amp;", f);
		else if (*p == '"')
			fputs("&quot;", f);
		else if (n)
			fwrite(p, 1, n, f);
		else
			fputs("\xEF\xBF\xBD", f);
		p += n ? n : 1;
	}
}
