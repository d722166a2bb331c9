// SPDX-License-Identifier: MIT
/* Colours of text reports; the word that is meant. Layer: report. */
#include "report/style.h"

#include <string.h>

#include "scenario/reader.h"

void style_begin(FILE *f, const struct sl_text_style *s, enum style_colour colour)
{
	if (s->colour)
		fprintf(f, "\033[%dm", (int)colour);
}

void style_end(FILE *f, const struct sl_text_style *s)
{
	if (s->colour)
		fputs("\033[0m", f);
}

const char *sl_nearest(const char *word, const char *const *known, size_t count)
{
	struct scn_near near = { .word = word, .size = strlen(word) };

	for (size_t i = 0; i < count; i++)
		scn_near_try(&near, known[i]);
	return near.best;
}
