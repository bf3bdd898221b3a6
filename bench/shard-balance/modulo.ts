// Modulo: shard number modulo number of workers. As even as can be, and any change of workers moves nearly everything.

import { type Contender, seatsInOrder } from './contender.ts';

export const modulo: Contender = {
  name: 'modulo',
  work: 'one remainder',
  prepare({ members }) {
    const seats = seatsInOrder(members);
    const { length } = seats;
    return { lookup: ({ shard }) => seats[shard % length] as (typeof seats)[number] }; // Below the length.
  },
};
