// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";

import {Deleveraging} from "./Deleveraging.sol";
import {MarginVault} from "./MarginVault.sol";
import {MarketLedger} from "./MarketLedger.sol";
import {MarketRegistry} from "./MarketRegistry.sol";
import {IPriceOracle} from "./interfaces/IPriceOracle.sol";

/// @title ClearinghouseExtension
/// @notice The code of the clearinghouse's rarer actions, which the clearinghouse runs on its own storage: one contract
/// may not be larger than 24,576 bytes. Called directly it governs nothing but its own empty books.
contract ClearinghouseExtension is Deleveraging, MarketRegistry {
    constructor(IERC20Metadata token, IPriceOracle oracle, address owner)
        MarginVault(token, owner)
        MarketLedger(oracle)
    {}
}
