// SPDX-License-Identifier: MIT
/* Of three answers one is wrong. */
#include <assert.h>
#include <seamlab/explore.h>

static _Atomic unsigned int answer;

SL_THREAD(chooser)
{
	answer = sl_choose(3);
	answer = 9;
}

SL_THREAD(checker)
{
	assert(answer != 2);
}
