"""Lives here: everything that knows an address of a chain, a block, gas, a nonce, web3 or a key. Not here: rules of the
market. May be imported by: client, keeper, devnet, testing, cli."""
