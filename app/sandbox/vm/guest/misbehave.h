/* For tests alone: a guest that was taken over. Nothing of it is in an init for real use. */
#ifndef MISBEHAVE_H
#define MISBEHAVE_H

#include "load.h"

/* A request whose BTF is the name of a misdeed has it done; others are left as they are. */
void misbehave(struct reader request, u8 *area);

#endif
