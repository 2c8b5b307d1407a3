"""Two asyncio tasks that take turns: serve → handle → crunch, and poll → crunch, both under the event loop."""

import asyncio


def crunch(n):
    total = 0
    for i in range(n):
        total += i
    return total


async def handle():
    crunch(2000)
    await asyncio.sleep(0)


async def serve():
    while True:
        await handle()


async def poll():
    while True:
        crunch(1000)
        await asyncio.sleep(0)


async def main():
    print("ready", flush=True)
    await asyncio.gather(serve(), poll())


asyncio.run(main())
